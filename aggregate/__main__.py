"""`python -m aggregate` is `aggregate`."""

from aggregate.cli import main

if __name__ == "__main__":
    main()
