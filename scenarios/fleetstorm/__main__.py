"""`fleetstorm` and `python -m fleetstorm`."""

from fleetstorm.cli.app import main

if __name__ == "__main__":
    main()
