"""A worker on boto3: receives ten messages, validates and maps them, `batch_writer`, deletes ten; runs until ended."""

import boto3
from peers.reference import SIZE, to_item

QUEUES = boto3.client("sqs")
TABLE = boto3.resource("dynamodb").Table(SIZE)


def main() -> None:
    """Poll until the process ends."""
    url = QUEUES.get_queue_url(QueueName=SIZE)["QueueUrl"]
    while True:
        messages = QUEUES.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["SentTimestamp"]
        ).get("Messages", [])
        if not messages:
            continue
        with TABLE.batch_writer() as batch:
            for message in messages:
                batch.put_item(Item=to_item(message["Body"], message["Attributes"]["SentTimestamp"]))
        QUEUES.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(position), "ReceiptHandle": message["ReceiptHandle"]}
                for position, message in enumerate(messages)
            ],
        )


if __name__ == "__main__":
    main()
