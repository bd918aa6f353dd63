"""What runs in processes of its own: run this directory with the name of one module to serve it on stdin and stdout.

The modules here import nothing of the rest of the package.
"""
