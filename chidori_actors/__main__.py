"""``python -m chidori_actors`` is the console command ``chidori``."""

from .cli import main

main()
