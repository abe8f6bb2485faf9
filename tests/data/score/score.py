"""An entry script that does what its payload says, on every generation of the inference server."""

import json
import os
import time

try:
    from azureml_inference_server_http.api.aml_request import rawhttp
    from azureml_inference_server_http.api.aml_response import AMLResponse
except ImportError:  # before 0.8
    from azureml.contrib.services.aml_request import rawhttp
    from azureml.contrib.services.aml_response import AMLResponse


def init():
    """The model is as good as loaded."""
    print("the script is loaded")


def look_up(row):
    """The row's feature; KeyError where it has none."""
    return row["feature"]


@rawhttp
def run(request):
    """`{"do": "200"}` answers that status; `raise`, `sleep` and `exit` are what they say."""
    do = json.loads(request.get_data())["do"]
    if do == "raise":
        try:
            look_up({})
        except KeyError as error:
            raise ValueError("row 7 lacks a feature") from error
    if do == "sleep":
        time.sleep(30)
    if do == "exit":
        os._exit(1)
    return AMLResponse(json.dumps({"done": do}), int(do))
