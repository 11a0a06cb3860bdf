"""Settings of a server that is attacked: production's (HTTPS), on the test's own database.

Attackers come from one address and are many: limits by address, which have tests of their own,
would shut them out before they find anything.
"""

from tests.settings import *  # noqa: F403

RATELIMIT_ENABLE = False
ACCOUNT_RATE_LIMITS = False
SANWEN_STAFF_TOTP = False
SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
