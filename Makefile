# Sanwen's commands. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
# Processes that run tests at once; a browser and a database each.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo setup test test-fast bench lint chaos city audit lighthouse attack messages lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo:  ## everything from nothing to a running demo on http://127.0.0.1:8000 (PORT=, SANWEN_HOME=)
	@began=$$(date +%s) && $(PYTHON) tools/prepare.py run && \
	  BEGAN=$$began exec $(BIN)/python tools/demo.py

setup:  ## what the checks and tests need: environment, system libraries and programs, Chromium
	@$(PYTHON) tools/prepare.py dev
	@$(BIN)/python tools/messages.py compile

test: lint  ## every check and test, on SQLite and then on PostgreSQL with Redis
	@echo "== tests on SQLite"
	$(BIN)/python -m pytest -n $(WORKERS)
	@echo "== tests on PostgreSQL with Redis"
	SANWEN_TEST_STACK=city $(BIN)/python -m pytest -n $(WORKERS) -m "city or not browser"

test-fast: setup  ## the tests that need no browser, on SQLite
	$(BIN)/python -m pytest -n $(WORKERS) -m "not browser and not slow"

bench: setup  ## the benchmarks, as ratios in one run; docs/performance.md holds results
	$(BIN)/python -m benchmarks.acts
	$(BIN)/python -m benchmarks.moves
	$(BIN)/python -m benchmarks.opinions
	$(BIN)/python -m benchmarks.arrivals
	$(BIN)/python -m benchmarks.anonymous
	$(BIN)/python -m benchmarks.log
	$(BIN)/python -m benchmarks.trail 1000 3000 10000
	$(BIN)/python -m benchmarks.verify
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.growth

lint: setup  ## style, types, import contracts, migrations, settings, translations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --lint --quiet templates processes workflows notifications
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/messages.py check
	SANWEN_HOME=.venv/check $(BIN)/python manage.py makemigrations --check --dry-run
	SANWEN_HOME=.venv/check SANWEN_HTTPS=1 SANWEN_HOSTS=example.org \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python tools/audit.py

chaos: setup  ## kill servers, workers, Redis and PostgreSQL under load; nothing may be lost (FOR=60 seconds)
	$(BIN)/python tools/chaos.py --seconds $(or $(FOR),60)

city: setup  ## the city profile on this machine: PostgreSQL, Redis, S3, nginx, servers, Celery, the demo
	$(BIN)/python tools/city.py

audit: setup  ## known holes in the packages, where the service that knows of them is reachable
	$(BIN)/python tools/audit.py

lighthouse:  ## Lighthouse at phone settings on four pages of a running demo (AT=, COOKIE=); needs Node.js
	@tools/lighthouse.sh $(or $(AT),http://127.0.0.1:8000) $(COOKIE)

attack: setup  ## sqlmap, Wapiti and Schemathesis at length, on SQLite and on PostgreSQL; two hours
	@for stack in "" city; do echo "== attacks on $${stack:-SQLite}"; \
	  SANWEN_TEST_STACK=$$stack SANWEN_TEST_SQLMAP=long SANWEN_TEST_WAPITI=long \
	  SANWEN_TEST_SCHEMATHESIS=long $(BIN)/python -m pytest -n $(WORKERS) -s \
	  tests/test_sqlmap.py tests/test_wapiti.py tests/workflows/test_api_fuzzed.py || exit 1; done

messages: setup  ## bring the texts of code and templates into locale/en
	$(BIN)/python tools/messages.py extract

lock: setup  ## renew requirements*.txt from requirements*.in (UPGRADE=1 takes newer versions)
	@for name in requirements requirements-dev requirements-attack; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	    $(if $(UPGRADE),--upgrade) $$name.in --output-file $$name.txt || exit 1; done

clean:  ## remove what can be made again; the database and its files stay
	rm -rf .venv staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
