"""Ways to keep the progress of a loop: the floors, Milepost and its peers, one a module, behind the same verbs."""
