"""Mails users that their password was changed: a consumer of the event `Password Changed`.

It is a separate function, so that the function that changes passwords needs no permission to look users up.
Delivery is at least once: a user may get the mail about a change twice. `tests/local/user_mail.py` tests it.
"""

import os
import uuid
from datetime import UTC, datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError

POOL = os.environ["USER_POOL_ID"]
# The sender's address. SES has verified the address or its domain.
SENDER = os.environ["MAIL_FROM"]
# The address or the page for users who did not change the password.
CONTACT = os.environ["MAIL_CONTACT"]

cognito = boto3.client("cognito-idp")
ses = boto3.client("sesv2")

# Subject and text by language (RFC 5646), with the form of address of `src/policy/messages`. The texts
# contain no link except the contact, and neither the user's name nor data from the request.
MAILS = {
    "en": (
        "Your password was changed",
        """\
Your password was changed on {time.day} {time:%B %Y} at {time:%H:%M} UTC.

If you changed it, you do not need to do anything.

If you did not change it, contact us immediately: {contact}
""",
    ),
    "de": (
        "Ihr Passwort wurde geändert",
        """\
Ihr Passwort wurde am {time:%d.%m.%Y} um {time:%H:%M} Uhr (UTC) geändert.

Wenn Sie es selbst geändert haben, müssen Sie nichts tun.

Wenn Sie es nicht geändert haben, wenden Sie sich bitte sofort an uns: {contact}
""",
    ),
    "fr": (
        "Votre mot de passe a été modifié",
        """\
Votre mot de passe a été modifié le {time:%d/%m/%Y} à {time:%H:%M} UTC.

Si vous êtes à l’origine de cette modification, vous n’avez rien à faire.

Si ce n’est pas le cas, contactez-nous immédiatement : {contact}
""",
    ),
    "es": (
        "Se ha cambiado su contraseña",
        """\
Su contraseña se cambió el {time:%d/%m/%Y} a las {time:%H:%M} UTC.

Si la cambió usted, no tiene que hacer nada.

Si no la cambió usted, póngase en contacto con nosotros de inmediato: {contact}
""",
    ),
    "it": (
        "La tua password è stata modificata",
        """\
La tua password è stata modificata il {time:%d/%m/%Y} alle {time:%H:%M} UTC.

Se l’hai modificata tu, non devi fare nulla.

Se non l’hai modificata tu, contattaci subito: {contact}
""",
    ),
    "pt": (
        "Sua senha foi alterada",
        """\
Sua senha foi alterada em {time:%d/%m/%Y} às {time:%H:%M} UTC.

Se foi você que a alterou, não é preciso fazer nada.

Se não foi você, entre em contato conosco imediatamente: {contact}
""",
    ),
    "pl": (
        "Twoje hasło zostało zmienione",
        """\
Twoje hasło zostało zmienione {time:%d.%m.%Y} o godzinie {time:%H:%M} UTC.

Jeśli ta zmiana pochodzi od Ciebie, nie musisz nic robić.

Jeśli nie pochodzi od Ciebie, natychmiast skontaktuj się z nami: {contact}
""",
    ),
}


def handler(event, _context):
    """Mails the user of one change, at the address that is verified now.

    It is not a failure if the user no longer exists or has no verified address. After a failure, it raises an
    exception: Lambda then retries twice and moves the event to the queue.
    """
    change = event["detail"]
    # A sub is a UUID. Nothing else may get into the filter or into the log.
    sub = str(uuid.UUID(change["sub"]))
    # Without AttributesToGet: with it, Cognito fails if the user lacks one of the attributes, such as locale.
    users = call(cognito.list_users, UserPoolId=POOL, Filter=f'sub = "{sub}"')["Users"]
    if not users:
        return print(f"{sub} was not mailed: there is no such user.")
    user = {attribute["Name"]: attribute["Value"] for attribute in users[0]["Attributes"]}
    if not user.get("email") or user.get("email_verified") != "true":
        return print(f"{sub} was not mailed: the user has no verified address.")
    subject, text = MAILS[language(user.get("locale", ""))]
    time = datetime.fromisoformat(change["timestamp"]).astimezone(UTC)
    sent = call(
        ses.send_email,
        FromEmailAddress=SENDER,
        Destination={"ToAddresses": [user["email"]]},
        Content={
            "Simple": {
                "Subject": utf8(subject),
                "Body": {"Text": utf8(text.format(time=time, contact=CONTACT))},
            }
        },
    )
    print(f"{sub} was mailed: message {sent['MessageId']}.")


def language(locale):
    """Returns the language of a locale such as `de-CH` or `de_CH`; English if there is no such text."""
    primary = locale.replace("_", "-").partition("-")[0].lower()
    return primary if primary in MAILS else "en"


def utf8(text):
    """Returns a text in the form of SES, which assumes ASCII if there is no charset."""
    return {"Data": text, "Charset": "UTF-8"}


def call(operation, **parameters):
    """Calls AWS. A failure contains only the name of AWS's error, because SES's messages repeat addresses."""
    try:
        return operation(**parameters)
    except ClientError as error:
        failure = f"{error.operation_name} failed: {error.response['Error']['Code']}"
    except BotoCoreError as error:
        failure = f"AWS was not reached: {type(error).__name__}"
    # Outside the handler above, so that the traceback does not contain the original error either.
    raise RuntimeError(failure)
