"""Writers of random programs of scalars and arrays, a module for each kind of construct."""
