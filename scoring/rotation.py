"""What to do about a leaked secret, by its type: one sentence that says what to renew, with something to type."""

from __future__ import annotations

_ENDPOINT = "Regenerate the endpoint's keys: `az ml online-endpoint regenerate-keys -n NAME --key-type primary`"
_STORAGE = "`az storage account keys renew -n ACCOUNT -g GROUP --key primary`"
_GITHUB = "Revoke the token at https://github.com/settings/tokens and make another"

ROTATE: dict[str, str] = {
    "bearer_token": f"{_ENDPOINT}; if it is a token, sign in again and stop logging the Authorization header.",
    "azure_ml_key": f"{_ENDPOINT}, then once more with `--key-type secondary`.",
    "authorization_header": f"{_ENDPOINT}, and stop logging the Authorization header.",
    "jwt": "Stop logging the token; if it has not expired, revoke the sign-in: `az rest --method post "
    "--url https://graph.microsoft.com/v1.0/users/USER/revokeSignInSessions`.",
    "basic_auth": "Change the password of this user, and stop logging the Authorization header.",
    "cookie": "End the sessions of this user at the service that set the cookie, and stop logging Cookie headers.",
    "api_key_header": f"Renew the key at the service that checks this header; for an Azure ML endpoint: {_ENDPOINT}.",
    "api_key": "Renew the key at the service that issued it, and read it from Key Vault: "
    "`az keyvault secret set --vault-name VAULT -n NAME --file FILE`.",
    "storage_account_key": f"Renew the account's key: {_STORAGE}.",
    "shared_access_key": "Renew the key of the rule: `az servicebus namespace authorization-rule keys renew -n RULE "
    "--namespace-name NAMESPACE -g GROUP --key PrimaryKey` (`az eventhubs …`, `az iot hub policy renew-key` alike).",
    "shared_key_signature": f"Renew the account's key: {_STORAGE}.",
    "sas_signature": f"Renew the key that signed it, or delete its stored access policy: {_STORAGE}.",
    "cosmos_key": "Renew the account's key: `az cosmosdb keys regenerate -n ACCOUNT -g GROUP --key-kind primary`.",
    "redis_key": "Renew the cache's key: `az redis regenerate-keys -n CACHE -g GROUP --key-type Primary`.",
    "batch_key": "Renew the account's key: `az batch account keys renew -n ACCOUNT -g GROUP --key-name primary`.",
    "search_key": "Renew the service's key: "
    "`az search admin-key renew --service-name SERVICE -g GROUP --key-kind primary`.",
    "functions_key": "Renew the function's key: "
    "`az functionapp function keys set -n APP -g GROUP --function-name FUNCTION --key-name default`.",
    "container_registry_key": "Renew the registry's password: "
    "`az acr credential renew -n REGISTRY --password-name password`.",
    "api_management_key": "Renew the subscription's key: `az rest --method post --url "
    "SUBSCRIPTION_ID/regeneratePrimaryKey?api-version=2022-08-01`.",
    "azure_key": "Find whose key it is and renew it there: `az resource list --query [].id`, then "
    "`az cognitiveservices account keys regenerate -n NAME -g GROUP --key-name key1` or its like.",
    "azure_devops_token": "Revoke the token at https://dev.azure.com/ORGANISATION/_usersSettings/tokens.",
    "client_secret": "Make another secret and delete this one: `az ad app credential reset --id APPLICATION_ID`.",
    "connection_string_password": "Change the password that the connection string holds, for SQL: "
    "`az sql server update -n SERVER -g GROUP --admin-password …`.",
    "password": "Change the password where it is used, and read it from Key Vault: "
    "`az keyvault secret show --vault-name VAULT -n NAME`.",
    "url_password": "Change the password or token that stands in the URL, and pass it in a header instead.",
    "private_key": "Make another key pair, replace the certificate and revoke the old one: "
    "`az keyvault certificate create --vault-name VAULT -n NAME -p @policy.json`.",
    "github_token": f"{_GITHUB}: `gh auth refresh`.",
    "gitlab_token": "Revoke the token at https://gitlab.com/-/user_settings/personal_access_tokens.",
    "aws_access_key": "Deactivate the key: `aws iam update-access-key --access-key-id ID --status Inactive`.",
    "aws_secret_key": "Deactivate the key it belongs to: "
    "`aws iam update-access-key --access-key-id ID --status Inactive`.",
    "google_api_key": "Delete the key and make another: `gcloud services api-keys delete KEY`.",
    "google_token": "Revoke the token: `gcloud auth revoke`.",
    "slack_token": "Revoke the token at https://api.slack.com/apps.",
    "stripe_key": "Roll the key at https://dashboard.stripe.com/apikeys.",
    "openai_key": "Delete the key at https://platform.openai.com/api-keys and make another.",
    "huggingface_token": "Invalidate the token at https://huggingface.co/settings/tokens.",
    "npm_token": "Revoke the token: `npm token revoke ID`.",
    "pypi_token": "Delete the token at https://pypi.org/manage/account/token/.",
    "payload_data": "Nothing to rotate: stop logging what is scored (delete the print in run(), or set the logger to "
    "WARNING) and delete the logs that hold it: `az monitor log-analytics workspace table update -n TABLE "
    "-g GROUP --workspace-name WORKSPACE --retention-time 4`.",
    "webhook_url": "Delete the webhook where it was made and make another: who knows the URL can post.",
}


def rotate_anything(type_: str) -> str:
    """For a type without advice of its own."""
    return f"Renew this {type_.replace('_', ' ')} at the service that issued it, and stop logging it."
