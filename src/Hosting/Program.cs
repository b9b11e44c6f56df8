using Streaming.Hosting.Commands;

return await CommandLine.RunAsync(Root.Create(), args).ConfigureAwait(false);
