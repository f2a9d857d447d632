"""Image files of any kind as the data set has its own: one article, light on black."""
