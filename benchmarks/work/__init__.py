"""The pieces of work, the same for every keeper. Standard library only: peers run them too."""
