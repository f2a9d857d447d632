"""An image as a sequence of rows: torch's recurrent layers and one written by hand."""

import torch
from torch import nn


class RowLSTM(nn.Module):
    """Two layers, both directions; the last hidden states go to the head."""

    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(
            28, hidden, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1
        )
        self.head = nn.Linear(2 * hidden, 10)

    def forward(self, x):
        self.lstm.flatten_parameters()
        h0 = torch.zeros(4, x.size(0), 32).to(x.device)
        c0 = torch.zeros(4, x.size(0), 32).to(x.device)
        _, (h, _) = self.lstm(x.squeeze(1), (h0, c0))
        return self.head(torch.cat([h[-2], h[-1]], dim=1))


class RowGRU(nn.Module):
    """A GRU that takes time first, with the weights between its states made orthogonal."""

    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(28, hidden)
        nn.init.orthogonal_(self.gru.weight_hh_l0)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x):
        out, _ = self.gru(x.view(-1, 28, 28).permute(1, 0, 2))
        return self.head(out[-1])


class NormedGRU(nn.Module):
    """Weight norm on a recurrent matrix, as for language models; torch's old one, by hooks."""

    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.utils.weight_norm(nn.GRU(28, hidden, batch_first=True), "weight_hh_l0")
        self.head = nn.Linear(hidden, 10)

    def forward(self, x):
        return self.head(self.gru(x.squeeze(1))[0][:, -1])


class Packed(nn.Module):
    """Sequences of other lengths, packed: rows after the last that is not blank are left out."""

    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.RNN(28, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x):
        rows = x.squeeze(1)
        has_ink = rows.abs().sum(-1) > 0  # (B, 28)
        lengths = (has_ink * torch.arange(1, 29, device=x.device)).amax(1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(
            rows, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        _, h = self.rnn(packed)
        return self.head(h[-1])


class Cell(nn.Module):
    """A minimal gated cell in a loop over rows, whose state lives on the module in between."""

    def __init__(self, hidden=32):
        super().__init__()
        self.hidden = hidden
        self.gate = nn.Linear(28 + hidden, hidden)
        self.candidate = nn.Linear(28 + hidden, hidden)
        self.head = nn.Linear(hidden, 10)
        self.state = None

    def forward(self, x):
        self.state = x.new_zeros(x.shape[0], self.hidden)
        for row in x.squeeze(1).unbind(1):
            both = torch.cat([row, self.state], dim=1)
            z = torch.sigmoid(self.gate(both))
            self.state = (1 - z) * self.state + z * torch.tanh(self.candidate(both))
        return self.head(self.state)


class Stateful(nn.Module):
    """Truncated back-propagation: the hidden state of the last batch is where this one begins."""

    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.RNN(28, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)
        self.hidden_state = None

    def forward(self, x):
        state = self.hidden_state
        if not self.training or state is None or state.size(1) != x.size(0):
            state = None
        out, last = self.rnn(x.squeeze(1), state)
        if self.training:
            self.hidden_state = last.detach()
        return self.head(out[:, -1])
