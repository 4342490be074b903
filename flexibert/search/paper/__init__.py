"""BOSHNAS as the paper describes it, part by part."""
