"""Where the data set comes from: mirrors, a package, IDX and CSV files, checked."""
