"""``python -m bokit_cli``."""

from bokit_cli.main import run

if __name__ == "__main__":
    run()
