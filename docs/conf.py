from importlib.metadata import version as version_of

project = "spike_engine"
author = "the spike_engine authors"
version = release = version_of("spike-engine")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
html_theme = "furo"
html_title = "spike_engine"
exclude_patterns = ["_build", "tables"]
