"""Who may do what: the token issuer, managed identity, Azure Resource Manager and model management of SDK v1."""
