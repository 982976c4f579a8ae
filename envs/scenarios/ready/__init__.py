"""Ready scenarios, one YAML file each; ``catalogue`` reads them."""
