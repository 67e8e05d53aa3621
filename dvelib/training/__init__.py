"""Training embeddings and landmark regressors, from the first step or the last saved one."""
