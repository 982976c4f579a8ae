"""Ready scenarios, one YAML file each; ``library`` reads them."""
