"""What a run may suffer from: a file per family of symptoms, plain values in, findings out."""
