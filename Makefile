# make demo    train, measure, compare and report on the embedded data; ends with the path of the report
# make test    run the tests, in as many processes as WORKERS says; the slow sweeps, too, with MARKS="slow or not slow"
# Both set up the virtual environment $(VENV) first, once for every state of setup.cfg.

PYTHON  ?= python3.11
VENV    ?= .venv
DEMO    ?= demo
MARKS   ?= not slow
WORKERS ?= 2

READY := $(VENV)/.ready

.PHONY: demo test venv clean

demo: venv
	$(VENV)/bin/kdprobe run --out $(DEMO)

test: venv
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m "$(MARKS)" -n $(WORKERS) --dist loadfile $(TESTS)

# The stamp holds what was installed from where, so that nothing is installed twice and a moved folder is noticed.
venv:
	@want=$$( (cat setup.cfg pyproject.toml; pwd) | sha256sum); \
	if [ "$$(cat $(READY) 2>/dev/null)" != "$$want" ]; then \
	    set -e; \
	    [ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV); \
	    $(VENV)/bin/python -m pip install --quiet --upgrade --editable '.[dev]'; \
	    echo "$$want" > $(READY); \
	fi

clean:
	rm -rf $(VENV) $(DEMO) *.egg-info
