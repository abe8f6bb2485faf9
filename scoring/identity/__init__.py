"""Who signs in to Azure, by what proof, and why a sign-in is refused."""
