"""Sound that is rendered whole: `render` (reconstruct, sample, morph, ...), and drum loops (`loop`, `patterns`)."""
