"""``python -m dvelib.cli`` is the command ``dve``; torchrun and the Snakefile start it so."""

from dvelib.cli.app import entry_point

if __name__ == "__main__":
    entry_point()
