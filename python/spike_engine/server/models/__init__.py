"""A persona whose mind, and where wished whose ears and voice, are models behind an API of OpenAI's form."""
