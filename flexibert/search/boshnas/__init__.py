"""Our BOSHNAS, the default search method, part by part."""
