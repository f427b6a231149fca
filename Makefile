# make demo   install, train on the toy corpus, score it, translate, draw attention
# make test   install, Node packages and a browser for the pages too, then every test that this machine can run
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := runs/toy

.PHONY: install demo test check web browser format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

demo: install
	$(BIN)/seq2seq-attn train configs/toy.yaml --output $(DEMO) --resume
	@echo
	@echo "Three sentences and their translations:"
	@printf '%s\n' "The small child helped a black cat ." "Does the old teacher like your new house ?" "The girls who live near the church are happy ." > $(DEMO)/three.en
	@$(BIN)/seq2seq-attn translate $(DEMO) --source $(DEMO)/three.en --output $(DEMO)/three.pt
	@paste -d '\n' $(DEMO)/three.en $(DEMO)/three.pt
	@$(BIN)/seq2seq-attn attend $(DEMO) "The girls who live near the church are happy ." --output $(DEMO)/attention.png > /dev/null
	@echo
	@echo "Where the model looked: $(DEMO)/attention.png"

check: install
	$(BIN)/ruff format --check src tests scripts
	$(BIN)/ruff check src tests scripts
	$(BIN)/mypy
	test ! -x $(BIN)/hadolint || $(BIN)/hadolint Dockerfile

# tests start hundreds of processes: Python may keep what it has compiled for the next one
test: export PYTHONDONTWRITEBYTECODE :=
test: install
	$(MAKE) --jobs 3 check web browser
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal
	test ! -d web/node_modules || npm test --prefix web

web:
	scripts/install_web.sh

browser:
	scripts/install_browser.sh

format: install
	$(BIN)/ruff format src tests scripts
	$(BIN)/ruff check --fix src tests scripts

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache
