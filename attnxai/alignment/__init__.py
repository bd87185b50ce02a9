"""Map, image and annotation on one grid."""
