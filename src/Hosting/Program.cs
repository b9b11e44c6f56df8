using Streaming.Hosting.Commands;
using Streaming.Model.Measurement;

StartTrace.Begin();
return await CommandLine.RunAsync(Root.Create(), args).ConfigureAwait(false);
