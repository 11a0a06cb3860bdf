"""What anyone may run alone: the mathematics of the public record and its checks.

No Django, no database, nothing of the rest of this project: the standard library and
`cryptography`. The command is ``sanwen``; see ``sanwen/README.md``.
"""
