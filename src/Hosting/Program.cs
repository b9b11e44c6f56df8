using System.CommandLine;
using Streaming.Hosting.Commands;

var root = new RootCommand("Streams raw Japanese text into a trainer of Mistral models. Without a command it trains.")
{
    NormalizeCommand.Create(),
    TokenizeCommand.Create(),
    ConfigCommand.Create(),
};
return await CommandLine.RunAsync(root, args).ConfigureAwait(false);
