"""The pages of benchmarks, of attacks and of the judges, from the files in `bench/results/`.

Start with `pages.py`; `results.py` reads the files.
"""
