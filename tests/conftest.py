"""What every test of the library stands on."""

from hypothesis import HealthCheck, settings

# A busy machine is not a failing test: a deadline measures the neighbours.
settings.register_profile("milepost", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("milepost")
