"""What every room stands on: settings, ids, clock, units, errors, log; no domain knowledge."""
