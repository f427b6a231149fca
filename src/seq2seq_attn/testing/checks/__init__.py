"""The checks, each a function of the mechanism under test that ends in silence, with a finding or with a reason."""
