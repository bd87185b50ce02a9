"""``python -m attnxai``."""

from attnxai.cli.main import app

app(prog_name="attnxai")
