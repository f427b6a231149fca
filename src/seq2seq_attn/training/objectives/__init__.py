"""What a training descends: one file per objective, all with one interface."""
