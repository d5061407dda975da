// A worker on sqs-consumer, the AWS SDK and ajv: receives ten messages, validates and maps them, and writes them in a
// batch; sqs-consumer deletes them. Several consumers overlap in one process; it runs until it is ended.
import { readFileSync } from "node:fs";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";
import { BatchWriteCommand, DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import Ajv from "ajv/dist/2020.js";
import { Consumer } from "sqs-consumer";

const [schema, name, consumers] = process.argv.slice(2);
const validate = new Ajv().compile(JSON.parse(readFileSync(schema, "utf8")));
const sqs = new SQSClient({});
const tables = DynamoDBDocumentClient.from(new DynamoDBClient({}));

function item({ Body, Attributes }) {
  const data = JSON.parse(Body);
  if (!validate(data)) throw new Error(JSON.stringify(validate.errors));
  return { ...data, sent_at: new Date(Number(Attributes.SentTimestamp)).toISOString() };
}

async function handleMessageBatch(messages) {
  let requests = messages.map((message) => ({ PutRequest: { Item: item(message) } }));
  while (requests?.length) {
    const answer = await tables.send(new BatchWriteCommand({ RequestItems: { [name]: requests } }));
    requests = answer.UnprocessedItems?.[name];
  }
  return messages;
}

const { QueueUrl: queueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
for (let number = 0; number < Number(consumers); number++) {
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    batchSize: 10,
    waitTimeSeconds: 1,
    messageSystemAttributeNames: ["SentTimestamp"],
    handleMessageBatch,
  });
  for (const event of ["error", "processing_error"]) consumer.on(event, (error) => console.error(error));
  consumer.start();
}
