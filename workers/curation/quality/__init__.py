"""Model-based quality: a scorer of documents, 0 to 5, trained on labels of people, files or a language model."""
