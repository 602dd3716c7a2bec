"""The judge `llm`: a language model behind an endpoint labels conversations.

Text goes to the endpoint that the operator names, and nowhere else: not to a log, an exception or a
table. The clients of `openai` and `anthropic` are an optional extra. Nothing here imports them
before a judge is made.
"""
