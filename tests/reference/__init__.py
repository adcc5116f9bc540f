"""The client against Planhat's pages: a test for each rule it relies on, with a server that is not the sandbox.

Client and sandbox have the same authors, so a misreading that both share cannot show in a test of the two. Each
test here starts a small server that answers as Planhat's page says. Its docstring names the rule and its
certainty: **D** documented for these models, **G** on Planhat's general pages, **L** seen live by others,
**?** unknown, so that the client must be right in both cases.
"""
