# SPDX-License-Identifier: Apache-2.0
"""Stands in for the node's GUI: Flask, served by gunicorn as Fed-BioMed does it."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return "the node's GUI\n"
