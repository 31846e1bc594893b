"""Language models behind one typed client: optional, and loaded only where a model is set.

Every request is a paid call whose intent is durable before it is sent; answers are kept by what was asked.
"""
