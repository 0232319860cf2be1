"""The market map: a table, sectors or a treemap, with its data, images and fragments."""
