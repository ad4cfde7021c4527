"""What several words share: tokenizer, token shards, benchmark files."""
