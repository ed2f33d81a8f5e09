// A text from anywhere, with the characters in it that are not seen shown by name.

import { pieces } from "../text/hidden.ts";
import { count } from "../words.ts";

export function Visible({ text }: { text: string }) {
  return (
    <>
      {pieces(text).map((piece, index) =>
        piece.hidden > 0 ? (
          <span key={index} class="hidden-one" title={`hidden character ${piece.text}`}>
            {piece.hidden > 1 ? `${piece.text} ×${count(piece.hidden)}` : piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
    </>
  );
}
