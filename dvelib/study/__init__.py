"""The study under a profile: which embeddings, regressors and tables it asks for, and where."""
