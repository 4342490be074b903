"""The candidates of a level in one folder: models, distances, coordinates, neighbours."""
