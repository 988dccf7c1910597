"""The HTTP interface: a thin shell over `intents.service`, one file for each concern.

Every answer is JSON, every error `{code, message, detail}` with a code of the closed list in
`intents.refusals`, the framework's own included. The OpenAPI document is generated from the code.
"""

from intents.api.app import create_app

__all__ = ["create_app"]
