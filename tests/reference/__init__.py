"""The client against Planhat's pages: one test for each rule that it acts on, with a server that is not the sandbox.

Client and sandbox have the same authors, so what both have misread no test between them can show. Here each test
brings a server of a few lines that answers as Planhat's page says, and says in its docstring which rule that is and
how sure it is: **D** documented for these models, **G** on Planhat's general pages, **L** seen live by others,
**?** unknown, so that the client must be right either way.
"""
